# Talks to itself over TCP and UDP, on fixed ports. Must work wherever there is a loopback, however often.
import socket, threading

def talk(family, host):
    server = socket.socket(family)
    server.bind((host, 8080))
    server.listen()
    client = socket.create_connection((host, 8080))
    peer, _ = server.accept()
    client.sendall(b'over ' + host.encode())
    print(peer.recv(99).decode())
    for s in (peer, client, server):
        s.close()

talk(socket.AF_INET, '127.0.0.1')
talk(socket.AF_INET6, '::1')
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(('127.0.0.1', 8081))
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'udp', ('localhost', 8081))
print(u.recv(9).decode())
