"""Random BERT models of `transformers`, saved as folders that m2 takes."""

import torch
from m2_program import VOCABULARY
from transformers import BertTokenizerFast


def save(model, folder):
    """With the tests' vocabulary; biases and norms get values of their own first."""
    with torch.no_grad():  # biases are 0 and norms 1 in a new model: their places would not show
        for name, value in model.named_parameters():
            if name.endswith("bias") or "LayerNorm" in name:
                value += 0.3 * torch.randn_like(value)
    model.save_pretrained(folder)
    BertTokenizerFast(vocab=str(VOCABULARY)).save_pretrained(folder)
    return model
