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
