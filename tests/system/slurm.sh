# SPDX-License-Identifier: Apache-2.0
# slurm.sh - sourced after lib.sh: a Slurm of two nodes (n1, n2) on loopback, in the test's own folder, without systemd and control groups.
# Skips (77) with the reason where it cannot be.
for program in munged slurmctld slurmd sbatch squeue scontrol scancel; do
    command -v "$program" >/dev/null || { echo "SKIP no $program here: ./dev setup slurm" && exit 77; }
done
[ "$(id -u)" = 0 ] || { echo "SKIP Slurm's daemons want root" && exit 77; }

# Whatever happens: also what slurmd started, known by its configuration, ends with the test.
slurm_cleanup() {
    for proc in /proc/[0-9]*; do
        [ "${proc#/proc/}" != $$ ] && grep -qzxF "SLURM_CONF=$TMP/slurm/slurm.conf" "$proc/environ" 2>/dev/null &&
            grep -qz 'slurm\|drover-worker' "$proc/cmdline" 2>/dev/null && kill -9 "${proc#/proc/}" 2>/dev/null
    done
    cleanup
}
trap slurm_cleanup EXIT

# slurm_start [lines for slurm.conf]
slurm_start() {
    host=$(hostname -s)
    mkdir -p "$TMP/munge" "$TMP/slurm/state"
    chmod 755 "$TMP"
    chmod 700 "$TMP/munge"
    head -c 1024 /dev/urandom >"$TMP/munge/key"
    chmod 600 "$TMP/munge/key"
    munged --force --foreground --key-file "$TMP/munge/key" --socket "$TMP/munge/socket" --pid-file "$TMP/munge/pid" \
        --log-file "$TMP/munge/log" --seed-file "$TMP/munge/seed" >"$TMP/munged.log" 2>&1 &
    PIDS="$PIDS $!"
    within 10 test -S "$TMP/munge/socket" || fail "munged does not start: $(cat "$TMP/munged.log")"
    base=$(python3 - <<'PY'
import socket
s = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*[x.getsockname()[1] for x in s])
PY
)
    set -- $base
    cat >"$TMP/slurm/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$TMP/munge/socket,cred_expire=5
SlurmctldPort=$1
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
EnforcePartLimits=ALL
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
KillWait=5
MinJobAge=300
SlurmdParameters=config_overrides
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation=$TMP/slurm/state
SlurmdSpoolDir=$TMP/slurm/spool-%n
SlurmctldPidFile=$TMP/slurm/ctld.pid
SlurmdPidFile=$TMP/slurm/d-%n.pid
SlurmctldLogFile=$TMP/slurmctld.log
SlurmdLogFile=$TMP/slurmd-%n.log
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$2 CPUs=8 RealMemory=4000
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$3 CPUs=8 RealMemory=4000
PartitionName=batch Nodes=n1,n2 Default=YES MaxTime=01:00:00 State=UP
CONF
    SLURM_CONF=$TMP/slurm/slurm.conf
    export SLURM_CONF
    slurmctld -D -i >"$TMP/ctld.out" 2>&1 &
    PIDS="$PIDS $!"
    for node in n1 n2; do
        slurmd -D -N "$node" >"$TMP/slurmd-$node.out" 2>&1 &
        PIDS="$PIDS $!"
    done
    within 30 slurm_idle 2 || fail "the nodes do not come up: $(sinfo 2>&1) $(tail -n 5 "$TMP/ctld.out")"
}
slurm_idle() { [ "$(sinfo --noheader --Node --format %t 2>/dev/null | grep -c '^idle')" = "$1" ]; }
# How many array tasks are in STATE.
slurm_count() { squeue --noheader --array --states="$1" 2>/dev/null | wc -l; }
