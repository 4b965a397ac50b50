import type { OnnxNode } from './model-writer.ts';

/**
 * Moves nodes whose outputs nothing reads to the end, in reverse order. ONNX Runtime schedules by walking back from such
 * nodes, starting with the last. In a backward program they are the gradients of parameters, the last one that of the
 * first layer: it would be computed first, keeping every cotangent on the way in memory for the other gradients. In
 * reverse order, gradients are computed in the order in which they were traced.
 */
export const inOrderOfExecution = (nodes: readonly OnnxNode[]): readonly OnnxNode[] => {
  const read = new Set(nodes.flatMap(({ inputs }) => inputs));
  const isRead = ({ outputs }: OnnxNode): boolean => outputs.some((name) => read.has(name));
  return [...nodes.filter(isRead), ...nodes.filter((node) => !isRead(node)).reverse()];
};
