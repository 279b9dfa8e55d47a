"""One YAML -> a family of images, and the way of each image in it to the classifier's other answer."""
