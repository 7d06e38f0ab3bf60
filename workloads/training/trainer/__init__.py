"""The program that trains: it runs in the pods of a TrainingJob and imports nothing else of this repository."""
