/** Config of the network that `--size tiny` of a benchmark measures. */
export const TINY_NETWORK = {
  backbone: 'resnet18',
  hidden_dim: 64,
  nheads: 4,
  enc_layers: 2,
  dec_layers: 2,
  dim_feedforward: 128,
  num_queries: 12,
  text_encoder_type: 'tiny-roberta',
};
