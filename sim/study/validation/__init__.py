"""Published measurements, predicted: rows, settings, scores, pages, and the few factors fitted on calibrate rows."""
