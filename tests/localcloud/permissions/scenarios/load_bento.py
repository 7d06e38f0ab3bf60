"""What each process of the service of BentoML does as it starts, and what it says where no model is."""

import service

classifier = service.Classifier()
assert classifier.predict([[1, 2]]) == [[1, 2]]
service.MODEL += "-absent"
try:
    service.Classifier()
except FileNotFoundError as error:
    print(error)
else:
    raise AssertionError(service.MODEL)
