"""Images with boxes: COCO's files, generated scenes, and annotations of patches."""
