import sys

sys.path.insert(0, "/app")
from add import add

assert add(2, 3) == 5
