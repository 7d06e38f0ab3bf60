"""What each replica of the application of Ray Serve does as it starts, and what it says where no model is. Ray itself
does not run."""

import sys

import yaml
from app import Classifier

(application,) = yaml.safe_load(sys.argv[1])["applications"]
model = application["args"]["model"]
assert Classifier.func_or_class(model).width == 2
try:
    Classifier.func_or_class(f"{model}-absent")
except FileNotFoundError as error:
    print(error)
else:
    raise AssertionError(model)
