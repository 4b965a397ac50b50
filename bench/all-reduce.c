/* Time of MPI_Allreduce (float, sum) for the sizes in bytes given as arguments: lines "bytes milliseconds", means over the ranks. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b) {
  double difference = *(const double *)a - *(const double *)b;
  return (difference > 0) - (difference < 0);
}

int main(int argc, char **argv) {
  int rank, size;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  for (int k = 1; k < argc; k++) {
    long bytes = atol(argv[k]);
    int count = (int)(bytes / 4);
    /* As many rounds as bench/all-reduce.ts. */
    int rounds = bytes < 1000000 ? 2000 : bytes < 100000000 ? 15 : 5;
    int warm_up = bytes < 1000000 ? 10 * rounds : 2;
    float *values = malloc(bytes);
    double *times = malloc(rounds * sizeof(double));
    for (int i = 0; i < count; i++) values[i] = 0;
    for (int round = -warm_up; round < rounds; round++) {
      MPI_Barrier(MPI_COMM_WORLD);
      double began = MPI_Wtime();
      MPI_Allreduce(MPI_IN_PLACE, values, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
      if (round >= 0) times[round] = MPI_Wtime() - began;
    }
    qsort(times, rounds, sizeof(double), by_value);
    double sum = 0;
    MPI_Reduce(&times[rounds / 2], &sum, 1, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);
    if (rank == 0) printf("%ld %.6f\n", bytes, 1000 * sum / size);
    free(values);
    free(times);
  }
  MPI_Finalize();
  return 0;
}
