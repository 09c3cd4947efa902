"""What the prediction port answers: predictions, their OpenAPI document, and the Open Inference Protocol."""
