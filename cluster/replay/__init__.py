"""A recorded run made again, and where it departs."""
