/** A training run, as the simulation sees it: what one worker computes in a step, and what it sends. */
export interface Workload {
  readonly name: string;
  /** Seconds of one batch: data, forward and backward pass. */
  readonly batchSeconds: number;
  /** Batches of one worker in a step. */
  readonly batches: number;
  /** Seconds of a step that do not depend on the batches: the optimizer. */
  readonly updateSeconds: number;
  readonly gradientBytes: number;
}

/** Network between the workers. */
export interface Network {
  readonly name: string;
  readonly bitsPerSecond: number;
  /** Seconds from one worker to another. */
  readonly delaySeconds: number;
  /** Part of the bits that is payload: TCP in Ethernet frames of 1,500 bytes has 1,448 of 1,514. */
  readonly payload: number;
  /** Bytes of a TCP segment. */
  readonly segmentBytes: number;
}

/** All-reduce of a worker, as it is measured where the network is no limit. */
export interface Exchange {
  /** Bytes that a worker sends and receives per second: copies, sums and the system's network code. */
  readonly bytesPerSecond: number;
  /** Seconds of an all-reduce of a single number. */
  readonly roundSeconds: number;
}

/** TCP over Ethernet with frames of 1,500 bytes. */
export const ETHERNET = { payload: 1448 / 1514, segmentBytes: 1448 };

/** Segments that TCP sends before the first acknowledgment, also after a pause (slow start). */
const FIRST_SEGMENTS = 10;
/** Messages above this size wait for the receiver's answer before they are sent (Open MPI's eager limit for TCP). */
const EAGER_BYTES = 2 ** 16;

/** Bytes of one round of the all-reduce (`VALUES_PER_ROUND` of `MpiCommunicator`). */
const ROUND_BYTES = 2 ** 24;
/** All-reduces of few numbers in a step: flags, counts, losses. */
const SMALL_REDUCTIONS = 4;

/** Predicted times of a step in seconds. */
export interface StepPrediction {
  readonly compute: number;
  readonly communication: number;
  readonly total: number;
  /** Work done per time and worker, relative to a single worker. */
  readonly efficiency: number;
}

/**
 * Seconds of an all-reduce whose sums are added in the order of ranks. Every worker sends each other one its chunk, adds the
 * chunks that it receives, and sends the sums to all: in both phases (N-1)/N of the bytes leave a worker and as many arrive.
 * The network and the worker's own copies overlap, so the slower one counts.
 */
export const allReduceSeconds = (bytes: number, workers: number, network: Network, exchange: Exchange): number => {
  if (workers === 1) return 0;
  const moved = (2 * bytes * (workers - 1)) / workers;
  const wire = moved / ((network.bitsPerSecond / 8) * network.payload);
  const rounds = Math.ceil(bytes / ROUND_BYTES);
  // Messages to all others leave at once: a phase waits for the delay once, and each message has its overhead.
  const message = Math.min(bytes, ROUND_BYTES) / workers;
  const delays = 2 * (message > EAGER_BYTES ? 3 : 1);
  const perRound = delays * network.delaySeconds + exchange.roundSeconds * (workers - 1);
  // TCP doubles its window with every round trip, beginning anew in each step.
  const flights = Math.log2(1 + message / (FIRST_SEGMENTS * network.segmentBytes));
  const slowStart = 2 * network.delaySeconds * Math.max(0, Math.ceil(flights) - 1);
  return Math.max(wire, moved / exchange.bytesPerSecond) + rounds * perRound + slowStart;
};

/** Workers, their networks and their exchange. Hosts may have several workers, which sum among themselves first. */
export interface Cluster {
  readonly name: string;
  readonly network: Network;
  readonly exchange: Exchange;
  readonly inside?: { readonly workersPerHost: number; readonly network: Network; readonly exchange: Exchange };
}

/** Seconds of an all-reduce among all workers of a cluster. */
const clusterReduceSeconds = (bytes: number, workers: number, { network, exchange, inside }: Cluster): number => {
  if (inside === undefined) return allReduceSeconds(bytes, workers, network, exchange);
  const own = Math.min(workers, inside.workersPerHost);
  const hosts = Math.ceil(workers / inside.workersPerHost);
  return (
    allReduceSeconds(bytes, own, inside.network, inside.exchange) + allReduceSeconds(bytes, hosts, network, exchange)
  );
};

/** Predicts a step of `workers` workers that each compute the batches of the workload (weak scaling). */
export const predictStep = (workload: Workload, workers: number, cluster: Cluster): StepPrediction => {
  const compute = workload.batches * workload.batchSeconds + workload.updateSeconds;
  const communication =
    clusterReduceSeconds(workload.gradientBytes, workers, cluster) +
    SMALL_REDUCTIONS * clusterReduceSeconds(4, workers, cluster);
  const total = compute + communication;
  return { compute, communication, total, efficiency: compute / total };
};
