"""One run, judged and kept: folder, manifest, log."""
