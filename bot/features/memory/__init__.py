"""What a server's tasks have learned: `/memory`."""
