// A process of another group keeps putting new children into the program's group. The step must end at its timeout,
// however fast that grows.
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    pid_t program = getpid();
    if (fork() == 0) {
        setpgid(0, 0);
        for (int i = 0; i < 400; i++)
            if (!fork()) { alarm(60); for (;;) pause(); }
        for (int i = 0; i < 30; i++)
            if (!fork()) {
                alarm(60);
                signal(SIGCHLD, SIG_IGN);
                for (;;) {
                    pid_t child = fork();
                    if (!child) { alarm(60); for (;;) pause(); }
                    if (child > 0) setpgid(child, program);
                    usleep(3000);
                }
            }
        _exit(0);
    }
    wait(0);
    write(1, "kept\n", 5);
    for (;;) pause();
}
