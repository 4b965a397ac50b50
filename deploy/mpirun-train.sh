#!/bin/bash
# Training on several hosts without a scheduler, in one process per line of a host file:
#
#     deploy/mpirun-train.sh HOSTS CONFIG.json [--set accumulate=64 ...]
#
# HOSTS is a host file of Open MPI, one host in each line ("node1 slots=1"). Each host has Open MPI, Node and mdetr at the same
# paths, sees the config, its data and its output_dir at the same paths, and is reached by ssh without a password. The first
# host is the one that runs this script. Ctrl-C and SIGTERM save the run; the same command resumes it, with any hosts.
set -euo pipefail
hosts=${1:?a host file, one host in each line}
config=${2:?the configuration of the training run}
shift 2
# The command: npx mdetr, or what MDETR holds.
read -ra mdetr <<<"${MDETR:-npx mdetr}"
# mpirun passes SIGXCPU on, at which mdetr saves and ends. At SIGTERM mpirun would kill the processes before they have saved.
options=(--hostfile "$hosts" --map-by node --bind-to none --mca ess_base_forward_signals SIGXCPU)
# The network between the hosts, where they have several: MDETR_NETWORK=10.0.0.0/24.
if [ -n "${MDETR_NETWORK:-}" ]; then
  options+=(--mca btl_tcp_if_include "$MDETR_NETWORK" --mca oob_tcp_if_include "$MDETR_NETWORK")
fi
# Another program than ssh that runs a command on a host: PROGRAM HOST COMMAND.
if [ -n "${MDETR_RSH:-}" ]; then options+=(--mca plm_rsh_agent "$MDETR_RSH"); fi
for name in MDETR_CACHE MDETR_OFFLINE MDETR_MPI_LIBRARY MDETR_DEAD_AFTER_MS; do
  if [ -n "${!name:-}" ]; then options+=(-x "$name"); fi
done
mpirun "${options[@]}" "${mdetr[@]}" train "$config" --resume "$@" &
mpirun=$!
trap 'kill -XCPU "$mpirun"' TERM INT HUP
# A signal interrupts wait.
status=0
wait "$mpirun" || status=$?
while kill -0 "$mpirun" 2>/dev/null; do
  status=0
  wait "$mpirun" || status=$?
done
exit "$status"
