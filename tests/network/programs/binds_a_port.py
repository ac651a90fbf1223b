# Binds a port for 5 s. Must get it though another episode has it too.
import socket, time

s = socket.socket()
s.bind(('127.0.0.1', 8080))
s.listen()
print('bound', flush=True)
time.sleep(5)
