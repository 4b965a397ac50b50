/*
 * Connects two network namespaces by tun devices and delivers every packet after a delay: for kernels without netem.
 *
 *     delay-relay NAMESPACE1 NAMESPACE2 MICROSECONDS
 *
 * Prints "ready" when both devices (tun0, MTU 9000) are there; their addresses and links are set by the caller.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define MTU 9216
#define PACKETS 4096

struct packet {
  double due;
  int length;
  char bytes[MTU];
};
struct direction {
  int from, to;
  unsigned long head, tail;
  struct packet *queue;
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static int open_tun(const char *name) {
  char path[256];
  snprintf(path, sizeof path, "/var/run/netns/%s", name);
  int space = open(path, O_RDONLY);
  if (space < 0 || setns(space, CLONE_NEWNET) != 0) exit(2);
  close(space);
  int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  struct ifreq request;
  memset(&request, 0, sizeof request);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  strcpy(request.ifr_name, "tun0");
  if (device < 0 || ioctl(device, TUNSETIFF, &request) != 0) exit(3);
  return device;
}

int main(int argc, char **argv) {
  if (argc != 4) return 1;
  double delay = atof(argv[3]) * 1e-6;
  int first = open_tun(argv[1]), second = open_tun(argv[2]);
  struct direction ways[2] = {{first, second, 0, 0, NULL}, {second, first, 0, 0, NULL}};
  for (int i = 0; i < 2; i++) ways[i].queue = malloc(PACKETS * sizeof(struct packet));
  puts("ready");
  fflush(stdout);
  for (;;) {
    double next = 1;
    for (int i = 0; i < 2; i++) {
      struct direction *way = &ways[i];
      /* A full queue leaves packets in the device, whose own queue then limits the sender. */
      while (way->head - way->tail < PACKETS) {
        struct packet *packet = &way->queue[way->head % PACKETS];
        packet->length = read(way->from, packet->bytes, MTU);
        if (packet->length <= 0) break;
        packet->due = now() + delay;
        way->head++;
      }
      while (way->tail < way->head) {
        struct packet *packet = &way->queue[way->tail % PACKETS];
        double left = packet->due - now();
        if (left > 0) {
          if (left < next) next = left;
          break;
        }
        if (write(way->to, packet->bytes, packet->length) < 0 && next > 1e-4) next = 1e-4;
        way->tail++;
      }
    }
    struct pollfd files[2] = {{first, POLLIN, 0}, {second, POLLIN, 0}};
    for (int i = 0; i < 2; i++)
      if (ways[i].head - ways[i].tail >= PACKETS) files[i].events = 0;
    struct timespec wait = {(long)next, (long)((next - (long)next) * 1e9)};
    ppoll(files, 2, &wait, NULL);
  }
}
