# Prints random numbers and names of every kind. No two programs must have the same.
import random, uuid, secrets, tempfile

print(random.random(), uuid.uuid4(), secrets.token_hex(), next(tempfile._get_candidate_names()))
try:
    import numpy

    print(numpy.random.random())
except ImportError:
    print(random.random())
