"""`make erase`: a data principal's data, found, erased or kept for the year that the law asks for."""
