"""LlamaIndex' clients of OpenAI and Together."""

import pytest
from client_calls import KEY, NAME, TEXTS, check_bits
from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.embeddings.together import TogetherEmbedding


@pytest.mark.parametrize("kind", [OpenAIEmbedding, TogetherEmbedding])
def test_vectors(server, expected, kind):
    client = kind(model_name=NAME, api_base=f"{server.url}/v1", api_key=KEY)
    check_bits(client.get_text_embedding_batch(TEXTS), expected)
    check_bits([client.get_text_embedding(text) for text in TEXTS], expected)
    check_bits([client.get_query_embedding(TEXTS[1])], expected[1:2])
