"""Reading digits with a trained network: from a picture to an answer, or to doubt."""
