import { defineOp } from '../graph/define-op.ts';
import type { Applied, Node, OpNode, Tensor } from '../graph/tensor.ts';
import { shapesEqual } from '../graph/dim.ts';
import { reachableNodes } from '../graph/program.ts';
import { add } from './elementwise.ts';
import { zerosLike } from './constant.ts';
import { sumToShape } from './reduce.ts';

/**
 * Identity that gradients do not pass, `detach` in PyTorch. A backward program that reads the value gets it from the forward
 * program instead of recomputing what it was made from.
 */
export const stopGradient = (x: Tensor): Tensor => stopGradientOp([x], {});

const stopGradientOp = defineOp<[x: Tensor], object>({
  name: 'stopGradient',
  cheap: false,
  infer: ([x]) => ({ shape: x.shape, dtype: x.dtype }),
  emit: (onnx, inputs) => onnx.node('Identity', inputs),
  vjp: 'none',
});

/**
 * Reverse-mode differentiation: gradients of Σ ⟨cotangent, output⟩ with respect to `wrt`, as tensors of the same graph.
 * A tensor that no output depends on gets zeros. Only nodes on a path to `wrt` are differentiated.
 */
export const gradients = (
  outputs: readonly { readonly tensor: Tensor; readonly cotangent: Tensor }[],
  wrt: readonly Tensor[],
): Tensor[] => sparseGradients(outputs, wrt).map((gradient, index) => gradient ?? zerosLike(wrt[index]!));

/** Like `gradients`, but `undefined` for a tensor that no output depends on (PyTorch's `grad is None`). */
export const sparseGradients = (
  outputs: readonly { readonly tensor: Tensor; readonly cotangent: Tensor }[],
  wrt: readonly Tensor[],
): (Tensor | undefined)[] => {
  const nodes = reachableNodes(outputs.map(({ tensor }) => tensor));
  const wanted = nodesLeadingTo(nodes, wrt);
  const collected = new Map<Tensor, Tensor>();
  const accumulate = (tensor: Tensor, gradient: Tensor): void => {
    const fitted = sumToShape(gradient, tensor.shape);
    if (fitted.dtype !== tensor.dtype)
      throw new Error(`internal: a gradient ${fitted.toString()} for ${tensor.toString()}`);
    const known = collected.get(tensor);
    collected.set(tensor, known ? add(known, fitted) : fitted);
  };
  for (const { tensor, cotangent } of outputs) {
    if (!shapesEqual(tensor.shape, cotangent.shape) || tensor.dtype !== cotangent.dtype)
      throw new Error(`internal: cotangent ${cotangent.toString()} for ${tensor.toString()}`);
    accumulate(tensor, cotangent);
  }
  for (const node of nodes.reverse()) {
    if (node.kind !== 'op' || !wanted.has(node)) continue;
    propagate(node, collected, (tensor) => wanted.has(tensor.node) || wrt.includes(tensor), accumulate);
  }
  return wrt.map((tensor) => collected.get(tensor));
};

const propagate = (
  node: OpNode,
  collected: ReadonlyMap<Tensor, Tensor>,
  isWanted: (tensor: Tensor) => boolean,
  accumulate: (tensor: Tensor, gradient: Tensor) => void,
): void => {
  const cotangents = node.outputs.map((output) => collected.get(output));
  if (node.op.vjp === 'none' || cotangents.every((cotangent) => cotangent === undefined)) return;
  const needed = node.inputs.map(isWanted);
  if (!needed.includes(true)) return; // in `wrt` itself, with nothing before it
  const applied: Applied<readonly Tensor[], object> = {
    inputs: node.inputs,
    outputs: node.outputs,
    attrs: node.attrs,
    needs: (index) => needed[index] === true,
  };
  node.op.vjp(cotangents, applied).forEach((gradient, index) => {
    if (gradient !== undefined && needed[index] === true) accumulate(node.inputs[index]!, gradient);
  });
};

/** Nodes that depend differentiably on `wrt`. */
const nodesLeadingTo = (nodes: readonly Node[], wrt: readonly Tensor[]): ReadonlySet<Node> => {
  const roots = new Set(wrt.map((tensor) => tensor.node));
  const leading = new Set<Node>();
  for (const node of nodes) {
    if (roots.has(node)) leading.add(node);
    else if (node.kind === 'op' && node.op.vjp !== 'none' && node.inputs.some((tensor) => leading.has(tensor.node)))
      leading.add(node);
  }
  return leading;
};
