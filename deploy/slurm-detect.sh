#!/bin/bash
#SBATCH --job-name=mdetr-detect
#SBATCH --array=0-15
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=4G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
# Detection in many images by 16 tasks of a Slurm array:
#
#     sbatch deploy/slurm-detect.sh IMAGES CAPTIONS.txt found.jsonl
#
# Each task writes its part, found.00003-of-00016.jsonl, and continues it when it is started again. Afterwards:
# mdetr merge found.jsonl --results all.jsonl
set -euo pipefail
images=${1:?the folder of the images}
captions=${2:?a file with a caption in each line}
results=${3:?the file of the results, on a file system that all nodes see}
# The command: npx mdetr, or what MDETR holds, for example "apptainer run mdetr.sif".
read -ra mdetr <<<"${MDETR:-npx mdetr}"
exec "${mdetr[@]}" detect "$images" --recursive --skip-broken --caption "@$captions" --results "$results" \
  --shard auto --resume --threads "${SLURM_CPUS_PER_TASK:-1}"
