"""What Bedside's performance claims rest on: each figure stands beside that of a peer measured in the same run."""
