#!/usr/bin/env bash
#SBATCH --job-name=gapless
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=01:00:00
# Starts a Ray cluster on the nodes of a Slurm job and runs gapless on it: sbatch slurm_ray.sh photos/ --minutes 50
# gapless[ray] must be installed where every node sees it. For GPUs add #SBATCH --gpus-per-node=1 and, behind the data,
# --device cuda --gpus-per-training 0.25.
set -euo pipefail

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${nodes[0]}
port=$((20000 + SLURM_JOB_ID % 20000)) # jobs that share a node do not meet
head_ip=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | cut -d ' ' -f 1)

srun --nodes=1 --ntasks=1 --nodelist="$head" \
    ray start --head --node-ip-address="$head_ip" --port="$port" --num-cpus="$SLURM_CPUS_PER_TASK" --block &
for node in "${nodes[@]:1}"; do
    srun --nodes=1 --ntasks=1 --nodelist="$node" \
        ray start --address="$head_ip:$port" --num-cpus="$SLURM_CPUS_PER_TASK" --block &
done

wanted=${#nodes[@]}
for _ in {1..60}; do
    alive=$(python -c "import ray; ray.init('$head_ip:$port', log_to_driver=False); print(len(ray.nodes()))" 2>/dev/null || true)
    [ "$alive" = "$wanted" ] && break
    sleep 2
done

srun --nodes=1 --ntasks=1 --nodelist="$head" --overlap \
    gapless tune "$@" --engine ray --address "$head_ip:$port" --out "gapless-runs/slurm-$SLURM_JOB_ID"
