"""The projections: folds and encoders, tried on logs written for the purpose."""
