"""Language models: adapters, admission, reading of answers, prices, and the embedded model."""
