/** `mdetr/losses`: the criterion, its losses and their weights, over symbolic tensors. */
export * from '../losses/index.ts';
