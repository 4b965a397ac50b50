/** Config of a detector with the backbone of the embedded scenes model and little else. */
export const SMALL_DETECTOR = {
  backbone: 'small_convnet',
  small_backbone: { widths: [24, 48, 96, 160], groups: 8 },
  hidden_dim: 128,
  enc_layers: 1,
  dec_layers: 1,
  dim_feedforward: 32,
  text_encoder_type: 'own',
  text_encoder: {
    hidden_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 16,
    vocab_size: 20,
    max_position_embeddings: 10,
  },
};

/** Config of a network of the smallest sizes, without a backbone. */
export const SMALLEST_NETWORK = {
  hidden_dim: 8,
  nheads: 2,
  enc_layers: 1,
  dec_layers: 1,
  dim_feedforward: 8,
  num_queries: 2,
  text_encoder_type: 'scenes',
  text_encoder: {
    hidden_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 8,
    vocab_size: 12,
    max_position_embeddings: 10,
  },
};
