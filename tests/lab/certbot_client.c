/* certbot_client SOCKET CERTBOT [WORD...]: runs certbot by way of certbot_server.py.
 *
 * Hands its standard input, output and error over, passes the signals that it gets on, and ends as
 * the certbot that was forked for it ends.  Where nobody listens, or the server can't stand for the
 * plain program here, it becomes that.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int ask(const char *path) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int standard[3] = {0, 1, 2};
    char octet = 0, control[CMSG_SPACE(sizeof standard)] = {0};
    struct iovec part = {&octet, 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof standard);
    memcpy(CMSG_DATA(head), standard, sizeof standard);
    /* below e2e/faults.c a server that has it preloaded, too */
    const char *suffix = getenv("FAULTS") ? ".faults" : "";
    if (strlen(path) + strlen(suffix) >= sizeof name.sun_path) return -1;
    strcat(strcpy(name.sun_path, path), suffix);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(server, (struct sockaddr *)&name, sizeof name)) return -1;
    return sendmsg(server, &message, MSG_NOSIGNAL) == 1 ? server : -1;
}

int main(int count, char **words) {
    if (count < 3) return 64;
    int certbot = 0, server = ask(words[1]);
    if (server < 0 || read(server, &certbot, sizeof certbot) != sizeof certbot || !certbot) {
        execv(words[2], words + 2);
        perror(words[2]);
        return 127;
    }
    sigset_t passed;
    sigemptyset(&passed);
    for (const int *one = (int[]){SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, 0}; *one; one++)
        sigaddset(&passed, *one);
    sigprocmask(SIG_BLOCK, &passed, NULL);
    int signals = signalfd(-1, &passed, SFD_CLOEXEC), status = 0;
    struct pollfd both[] = {{server, POLLIN, 0}, {signals, POLLIN, 0}};
    for (;;) {
        poll(both, 2, -1);
        struct signalfd_siginfo got;
        if (both[1].revents && read(signals, &got, sizeof got) == sizeof got)
            kill(certbot, (int)got.ssi_signo);
        if (both[0].revents) break;
    }
    if (read(server, &status, sizeof status) != sizeof status) {
        fprintf(stderr, "the lab's certbot server is gone\n");
        return 70;
    }
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    signal(WTERMSIG(status), SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &passed, NULL);
    raise(WTERMSIG(status));
    return 128 + WTERMSIG(status);
}
