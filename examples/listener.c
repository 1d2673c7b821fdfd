/* Prints the changes of a store while they happen: subscribes over libpq and waits for notifications.
 *
 *   cc -I"$(pg_config --includedir)" examples/listener.c -L"$(pg_config --libdir)" -lpq -o listener
 *   ./listener -d 'dbname=postgres' 'user:#'
 *
 *   listener [-d CONNINFO] [-n COUNT] [-t SECONDS] [-r] PATTERN...
 *
 *   -d    the database, as libpq takes it; default: that of the PG* environment
 *   -n    ends after so many events; default: never
 *   -t    ends after so many seconds without one, with status 2; default: never
 *   -r    prints the payloads only, as they come
 *
 * Otherwise a line is: what happened to which key, the time since it was written, and the payload. When it is live it says
 * so on stderr. */
#define _GNU_SOURCE
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void fail(PGconn* connection) {
    fprintf(stderr, "listener: %s", PQerrorMessage(connection));
    exit(1);
}

/* The member of this name, if it is a string without escapes: what stands between its quotes. */
static int member(const char* payload, const char* name, char* out, size_t size) {
    char quoted[64];
    snprintf(quoted, sizeof(quoted), "\"%s\":\"", name);
    const char* begin = strstr(payload, quoted);
    if (begin == NULL) {
        return 0;
    }
    begin += strlen(quoted);
    size_t length = strcspn(begin, "\"\\");
    if (length >= size) {
        return 0;
    }
    memcpy(out, begin, length);
    out[length] = '\0';
    return 1;
}

/* Milliseconds since the moment that the payload names; -1: it names none. */
static double age(const char* payload) {
    char text[64];
    struct tm at = {0};
    struct timeval now;
    if (!member(payload, "at", text, sizeof(text))) {
        return -1;
    }
    const char* rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &at);
    if (rest == NULL) {
        return -1;
    }
    double fraction = *rest == '.' ? strtod(rest, (char**)&rest) : 0;
    int hours = 0, minutes = 0;
    char sign = '+';
    sscanf(rest, "%c%d:%d", &sign, &hours, &minutes);
    double offset = (hours * 60 + minutes) * 60 * (sign == '-' ? -1.0 : 1.0);
    gettimeofday(&now, NULL);
    return ((double)(now.tv_sec - timegm(&at)) + now.tv_usec / 1e6 - fraction + offset) * 1000;
}

static void print(const char* payload, int raw) {
    char operation[16], key[256];
    if (!raw && member(payload, "operation", operation, sizeof(operation)) && member(payload, "key", key, sizeof(key))) {
        printf("%-6s %-12s after %.1f ms  ", operation, key, age(payload));
    }
    puts(payload);
    fflush(stdout);
}

int main(int argc, char** argv) {
    long count = -1;
    int timeout = -1, raw = 0, option;
    const char* database = "";
    while ((option = getopt(argc, argv, "d:n:t:r")) != -1) {
        switch (option) {
            case 'd': database = optarg; break;
            case 'n': count = atol(optarg); break;
            case 't': timeout = atoi(optarg) * 1000; break;
            case 'r': raw = 1; break;
            default: return 1;
        }
    }
    if (optind >= argc) {
        fprintf(stderr, "usage: listener [-d CONNINFO] [-n COUNT] [-t SECONDS] [-r] PATTERN...\n");
        return 1;
    }
    PGconn* connection = PQconnectdb(database);
    if (PQstatus(connection) != CONNECTION_OK) {
        fail(connection);
    }
    for (; optind < argc; optind++) {
        const char* parameters[] = {argv[optind]};
        PGresult* result = PQexecParams(connection, "SELECT kvs.subscribe($1)", 1, NULL, parameters, NULL, NULL, 0);
        if (PQresultStatus(result) != PGRES_TUPLES_OK) {
            fail(connection);
        }
        PQclear(result);
    }
    fprintf(stderr, "live\n");
    while (count != 0) {
        struct pollfd socket = {PQsocket(connection), POLLIN, 0};
        if (poll(&socket, 1, timeout) == 0) {
            return 2;
        }
        if (!PQconsumeInput(connection)) {
            fail(connection);
        }
        PGnotify* notification;
        while (count != 0 && (notification = PQnotifies(connection)) != NULL) {
            print(notification->extra, raw);
            PQfreemem(notification);
            count -= count > 0;
        }
    }
    PQfinish(connection);
    return 0;
}
