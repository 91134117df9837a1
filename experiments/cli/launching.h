/* SPDX-License-Identifier: Apache-2.0 */
/* launching.h - what drover launch, scale and down share: options about pilots, their folder and
 * their connection file. */
#ifndef EXPERIMENTS_CLI_LAUNCHING_H
#define EXPERIMENTS_CLI_LAUNCHING_H

#include "common/net/connection.h"
#include "experiments/cli/cli.h"
#include "experiments/launch/fleet.h"
#include "experiments/launch/pilots.h"

struct launching {
    struct options o;
    struct pilots p;
    const char *folder_given, *template, *address; /* options; NULL: not given */
    const char *connect_given;
    bool dry;
    /* Made by launching_prepare(): */
    struct buf folder, connect, worker, script; /* paths */
    struct connection connection;
    bool local_only; /* only this computer reaches the coordinator */
};
void launching_release(struct launching *l); /* also for CLEANUP */

/* Option rows and their keys, from KEY_LAUNCH on; a command adds its own above KEY_LAUNCH_END. */
enum {
    KEY_LAUNCH = 0x400,
    KEY_SLOTS = KEY_LAUNCH,
    KEY_THREADS,
    KEY_TIME,
    KEY_PARTITION,
    KEY_ACCOUNT,
    KEY_QOS,
    KEY_MEMORY,
    KEY_GRES,
    KEY_CONSTRAINT,
    KEY_ARRAY_LIMIT,
    KEY_CONTAINER,
    KEY_TEMPLATE,
    KEY_IDLE,
    KEY_GRACE,
    KEY_LABEL,
    KEY_NAME,
    KEY_WORKER,
    KEY_WORKER_OPTION,
    KEY_SBATCH,
    KEY_FOLDER,
    KEY_ADDRESS,
    KEY_LAUNCH_END
};
#define LAUNCHING_PILOT_ROWS                                                                       \
    { 0, 0, 0, 0, "Each worker:", 2 },                                                             \
        { "slots", KEY_SLOTS, "N", 0, "Jobs at a time (default 1)", 2 },                           \
        { "threads", KEY_THREADS, "N", 0, "Threads per slot (default: cores / slots)", 2 },        \
        { "idle-exit",                                                                             \
          KEY_IDLE,                                                                                \
          "SECONDS",                                                                               \
          0,                                                                                       \
          "Leaves after so long without work (default 300; 0: never)",                             \
          2 },                                                                                     \
        { "grace",                                                                                 \
          KEY_GRACE,                                                                               \
          "SECONDS",                                                                               \
          0,                                                                                       \
          "Has so long to leave when asked to (default 60; what the cluster grants)",              \
          2 },                                                                                     \
        { "label", KEY_LABEL, "NAME", 0, "Has this, for steps that ask for it; repeatable", 2 },   \
        { "container-cmd",                                                                         \
          KEY_CONTAINER,                                                                           \
          "WORDS",                                                                                 \
          0,                                                                                       \
          "Words in front of the program, e.g. \"apptainer exec drover.sif\"",                     \
          2 },                                                                                     \
        { "worker",                                                                                \
          KEY_WORKER,                                                                              \
          "PROGRAM",                                                                               \
          0,                                                                                       \
          "The program there (default: this one's drover-worker; ssh: by PATH)",                   \
          2 },                                                                                     \
        { "worker-option",                                                                         \
          KEY_WORKER_OPTION,                                                                       \
          "WORD",                                                                                  \
          0,                                                                                       \
          "A further word for it, e.g. --worker-option=--models=/data; may be repeated",           \
          2 },                                                                                     \
        { "name", KEY_NAME, "NAME", 0, "Their names begin with it (default drover)", 2 },          \
        { 0, 0, 0, 0, "Where:", 1 },                                                               \
        { "folder",                                                                                \
          KEY_FOLDER,                                                                              \
          "DIR",                                                                                   \
          0,                                                                                       \
          "For scripts, logs and the list of what was started, which workers see (default "        \
          "STORE-fleet)",                                                                          \
          1 },                                                                                     \
    {                                                                                              \
        "address", KEY_ADDRESS, "HOST[:PORT]", 0,                                                  \
            "How workers reach the coordinator (default: as it listens)", 1                        \
    }
#define LAUNCHING_SLURM_ROWS                                                                       \
    { 0, 0, 0, 0, "Slurm:", 3 }, { "time",                                                         \
                                   KEY_TIME,                                                       \
                                   "TIME",                                                         \
                                   0,                                                              \
                                   "Time limit of each: minutes, HH:MM:SS, DAYS-HH:MM:SS",         \
                                   3 },                                                            \
        { "partition", KEY_PARTITION, "NAME", 0, "Partition", 3 },                                 \
        { "account", KEY_ACCOUNT, "NAME", 0, "Account", 3 },                                       \
        { "qos", KEY_QOS, "NAME", 0, "Quality of service", 3 },                                    \
        { "mem", KEY_MEMORY, "SIZE", 0, "Memory of each, e.g. 16G", 3 },                           \
        { "gres", KEY_GRES, "LIST", 0, "Generic resources, e.g. gpu:1", 3 },                       \
        { "constraint", KEY_CONSTRAINT, "LIST", 0, "Features of nodes", 3 },                       \
        { "array-limit", KEY_ARRAY_LIMIT, "N", 0, "At most so many at a time", 3 },                \
        { "sbatch",                                                                                \
          KEY_SBATCH,                                                                              \
          "WORD",                                                                                  \
          0,                                                                                       \
          "A further option, e.g. --sbatch=--mail-type=END; may be repeated",                      \
          3 },                                                                                     \
    {                                                                                              \
        "template", KEY_TEMPLATE, "FILE", 0,                                                       \
            "The batch job's script, with {{name}}, {{worker}}, {{connect}}, {{grace}}, "          \
            "{{container}}, "                                                                      \
            "{{options}} (--dry-run prints the default)",                                          \
            3                                                                                      \
    }
/* The defaults. */
void launching_init(struct launching *l);
/* Take an option of the rows, or a shared one. */
error_t launching_take(struct launching *l, int key, char *arg, struct argp_state *state);

/* The folder (not made): --folder, STORE-fleet, or beside the connection file. */
const char *launching_folder(struct launching *l);
/* Check what is asked for; make the folder, and in it the connection file with the pilots' key
 * (DRY: nothing is made). After that P is whole. ERR_NOT_FOUND: no coordinator runs. */
int launching_prepare(struct launching *l, const struct env *env, struct err *err) MUST_CHECK;
/* Write the batch job's script into the folder. */
int launching_script(struct launching *l, struct err *err) MUST_CHECK;

#endif
