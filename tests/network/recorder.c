/* Preloaded into a process and its children: writes each name that is looked up and each address that is connected or sent to
 * into the file NETWORK_RECORD, one line each, but for those of this machine itself. Nothing is held back. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void note(const char *what, const char *whom) {
  const char *path = getenv("NETWORK_RECORD");
  char line[512];
  int length, file;
  if (path == NULL || (file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0) return;
  length = snprintf(line, sizeof line, "%s %s\n", what, whom);
  if (length > 0 && write(file, line, (size_t)length) < 0) { /* nothing to be done */ }
  close(file);
}

static int is_number(const char *name) {
  unsigned char buffer[sizeof(struct in6_addr)];
  return inet_pton(AF_INET, name, buffer) == 1 || inet_pton(AF_INET6, name, buffer) == 1;
}

static void note_name(const char *name) {
  char own[256] = "";
  gethostname(own, sizeof own - 1);
  if (name != NULL && *name && !is_number(name) && strcmp(name, "localhost") && strcmp(name, own)) note("lookup", name);
}

/* Whether an address is one of this machine's own. */
static int is_own(int family, const void *wanted) {
  struct ifaddrs *all, *one;
  int found = 0;
  if (getifaddrs(&all) != 0) return 0;
  for (one = all; one != NULL; one = one->ifa_next) {
    if (one->ifa_addr == NULL || one->ifa_addr->sa_family != family) continue;
    found |= family == AF_INET ? !memcmp(&((struct sockaddr_in *)one->ifa_addr)->sin_addr, wanted, 4)
                               : !memcmp(&((struct sockaddr_in6 *)one->ifa_addr)->sin6_addr, wanted, 16);
  }
  freeifaddrs(all);
  return found;
}

static void note_address(const char *what, const struct sockaddr *address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address == NULL) return;
  if (address->sa_family == AF_INET) {
    const struct in_addr *four = &((const struct sockaddr_in *)address)->sin_addr;
    if ((ntohl(four->s_addr) >> 24) == 127 || four->s_addr == 0 || is_own(AF_INET, four)) return;
    inet_ntop(AF_INET, four, text, sizeof text);
  } else if (address->sa_family == AF_INET6) {
    const struct in6_addr *six = &((const struct sockaddr_in6 *)address)->sin6_addr;
    if (IN6_IS_ADDR_LOOPBACK(six) || IN6_IS_ADDR_UNSPECIFIED(six) || is_own(AF_INET6, six)) return;
    if (IN6_IS_ADDR_V4MAPPED(six) && (six->s6_addr[12] == 127 || is_own(AF_INET, six->s6_addr + 12))) return;
    inet_ntop(AF_INET6, six, text, sizeof text);
  } else {
    return;
  }
  note(what, text);
}

static int is_stream(int socket) {
  int type = 0;
  socklen_t size = sizeof type;
  return getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type == SOCK_STREAM;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
  int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
  note_name(node);
  return next(node, service, hints, found);
}

struct hostent *gethostbyname(const char *name) {
  struct hostent *(*next)(const char *) = dlsym(RTLD_NEXT, "gethostbyname");
  note_name(name);
  return next(name);
}

int gethostbyname_r(const char *name, struct hostent *made, char *buffer, size_t size, struct hostent **found, int *error) {
  int (*next)(const char *, struct hostent *, char *, size_t, struct hostent **, int *) = dlsym(RTLD_NEXT, "gethostbyname_r");
  note_name(name);
  return next(name, made, buffer, size, found, error);
}

/* A datagram socket that is only connected sends nothing (programs so learn their own address); what it sends is seen below. */
int connect(int socket, const struct sockaddr *address, socklen_t size) {
  int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
  if (is_stream(socket)) note_address("connect", address);
  return next(socket, address, size);
}

ssize_t sendto(int socket, const void *content, size_t length, int flags, const struct sockaddr *address, socklen_t size) {
  ssize_t (*next)(int, const void *, size_t, int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "sendto");
  note_address("send", address);
  return next(socket, content, length, flags, address, size);
}
