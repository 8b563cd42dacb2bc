"""What MTCNN calls the five points that it finds in a face, in its order."""

LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
