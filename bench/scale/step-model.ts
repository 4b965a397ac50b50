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

/** Segments that TCP sends before the first acknowledgment. */
const FIRST_SEGMENTS = 10;
/** Bytes that TCP has sent and not yet had acknowledged, at most: what Linux allows the buffer of a connection (`tcp_wmem`). */
const WINDOW_BYTES = 2 ** 22;
/** Least time without an acknowledgment after which TCP sends again. */
const RETRANSMIT_SECONDS = 0.2;

/** Bytes of one round of the all-reduce, and rounds on their way at once (`MessageCommunicator`): a bucket of gradients. */
export const ROUND_BYTES = 2 ** 22;
const BUCKET_BYTES = 4 * ROUND_BYTES;
/** Bytes of all workers together up to which everything is sent to everybody. */
const WHOLE_BYTES = 2 ** 15;
/** All-reduces of few numbers in a step: flags, skipped rows, counts, losses. Each waits for the delay once. */
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
 * The network and the worker's own copies overlap, so the slower one counts. All rounds of a bucket are on their way at once,
 * so that each of its two phases waits for the delay once.
 *
 * @param idleSeconds time since the last one, in which TCP's windows shrink
 */
export const allReduceSeconds = (
  bytes: number,
  workers: number,
  network: Network,
  exchange: Exchange,
  idleSeconds = 0,
): number => {
  if (workers === 1) return 0;
  const moved = (2 * bytes * (workers - 1)) / workers;
  const wire = moved / ((network.bitsPerSecond / 8) * network.payload);
  const buckets = Math.ceil(bytes / BUCKET_BYTES);
  // Small arrays are sent to all at once, in a single phase.
  const phases = bytes * workers <= WHOLE_BYTES ? 1 : 2;
  /** Bytes that a connection carries in a phase. */
  const carried = moved / (workers - 1) / 2;
  const windows = Math.ceil(Math.min(carried, BUCKET_BYTES / workers) / WINDOW_BYTES) - 1;
  const delays = buckets * phases * (1 + 2 * windows) + 2 * slowRoundTrips(carried, network, idleSeconds);
  const rounds = Math.ceil(bytes / ROUND_BYTES);
  const overhead = rounds * (workers - 1) * exchange.roundSeconds;
  return Math.max(wire, moved / exchange.bytesPerSecond) + delays * network.delaySeconds + overhead;
};

/**
 * Round trips in which TCP waits for acknowledgments because its window is still small. While the connection is idle, Linux
 * halves the window in every retransmission timeout, down to that of a new one; then it doubles in every round trip.
 */
const slowRoundTrips = (carried: number, network: Network, idleSeconds: number): number => {
  const halvings = Math.floor(idleSeconds / (RETRANSMIT_SECONDS + 2 * network.delaySeconds));
  const reached = Math.min(2 * carried, WINDOW_BYTES) / 2 ** halvings;
  const window = Math.max(FIRST_SEGMENTS * network.segmentBytes, reached);
  const flights = Math.ceil(Math.log2(1 + Math.min(carried, WINDOW_BYTES) / window));
  return Math.max(0, flights - 1);
};

/** Workers, their networks and their exchange. Hosts may have several workers, which sum among themselves first. */
export interface Cluster {
  readonly name: string;
  readonly network: Network;
  readonly exchange: Exchange;
  readonly inside?: { readonly workersPerHost: number; readonly network: Network; readonly exchange: Exchange };
}

/** Seconds of an all-reduce among all workers of a cluster. */
const clusterReduceSeconds = (
  bytes: number,
  workers: number,
  { network, exchange, inside }: Cluster,
  idleSeconds = 0,
): number => {
  if (inside === undefined) return allReduceSeconds(bytes, workers, network, exchange, idleSeconds);
  const own = Math.min(workers, inside.workersPerHost);
  const hosts = Math.ceil(workers / inside.workersPerHost);
  return (
    allReduceSeconds(bytes, own, inside.network, inside.exchange) +
    allReduceSeconds(bytes, hosts, network, exchange, idleSeconds)
  );
};

/** Predicts a step of `workers` workers that each compute the batches of the workload (weak scaling). */
export const predictStep = (workload: Workload, workers: number, cluster: Cluster): StepPrediction => {
  const compute = workload.batches * workload.batchSeconds + workload.updateSeconds;
  const communication =
    clusterReduceSeconds(workload.gradientBytes, workers, cluster, compute) +
    SMALL_REDUCTIONS * clusterReduceSeconds(4, workers, cluster);
  const total = compute + communication;
  return { compute, communication, total, efficiency: compute / total };
};
