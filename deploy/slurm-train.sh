#!/bin/bash
#SBATCH --job-name=mdetr-train
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --mem=32G
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=TERM@120
# Training in one process per node, by 16 replicas each:
#
#     sbatch deploy/slurm-train.sh CONFIG.json [--set accumulate=64 ...]
#
# The config, its data and its output_dir are on a file system that all nodes see. Two minutes before the time limit every
# process gets SIGTERM, which saves the run; submitted or requeued again, it resumes with any number of nodes. MPI is Open MPI
# (Slurm's plugin pmix) or MPICH (pmi2): MDETR_SRUN_MPI names the plugin, "srun --mpi=list" lists those that are there.
set -euo pipefail
config=${1:?the configuration of the training run}
shift
# The command: npx mdetr, or what MDETR holds, for example "apptainer run mdetr.sif".
read -ra mdetr <<<"${MDETR:-npx mdetr}"
# A process that was stopped by the signal is left to end before the job does.
exec srun --mpi="${MDETR_SRUN_MPI:-pmix}" --kill-on-bad-exit=1 --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" \
  "${mdetr[@]}" train "$config" --resume --replicas "${SLURM_CPUS_PER_TASK:-1}" "$@"
