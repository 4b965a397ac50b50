/** Power law of measurements, y = c · x^exponent, by least squares of the logarithms. */
export interface PowerLaw {
  readonly exponent: number;
  /** Half of the 95 % interval of the exponent; undefined for two points. */
  readonly halfWidth: number | undefined;
  /** Largest ratio of a measurement to the law. */
  readonly worst: number;
}

/** 97.5 % quantiles of Student's t distribution by degrees of freedom. */
const T_QUANTILES = [NaN, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];

/** Fits a power law to at least two points with different, positive coordinates. */
export const fitPowerLaw = (points: readonly (readonly [x: number, y: number])[]): PowerLaw => {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const mean = (index: 0 | 1): number => logs.reduce((sum, pair) => sum + pair[index], 0) / logs.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const spread = logs.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  const exponent = logs.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spread;
  const residuals = logs.map(([x, y]) => y - meanY - exponent * (x - meanX));
  const freedom = logs.length - 2;
  const variance = residuals.reduce((sum, value) => sum + value ** 2, 0) / Math.max(1, freedom);
  return {
    exponent,
    halfWidth: freedom < 1 ? undefined : (T_QUANTILES[Math.min(freedom, 10)] ?? 2.228) * Math.sqrt(variance / spread),
    worst: Math.exp(Math.max(...residuals)),
  };
};
