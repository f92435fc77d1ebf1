"""Tasks from start to continuation: `/task`, the live card, pages and pictures."""
