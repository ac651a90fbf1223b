# Asks the server that an earlier step has left for a page. Must get it.
import urllib.request

print(urllib.request.urlopen('http://localhost:8080/index.txt').read().decode(), end='')
