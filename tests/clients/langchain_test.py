"""LangChain's clients of OpenAI and Together."""

import openai
import pytest
import tiktoken
from client_calls import KEY, NAME, TEXTS, check_bits
from langchain_openai import OpenAIEmbeddings
from langchain_together import TogetherEmbeddings


def openai_embeddings(server, **options):
    return OpenAIEmbeddings(model=NAME, base_url=f"{server.url}/v1", api_key=KEY, max_retries=0, **options)


@pytest.mark.parametrize("make", [
    lambda server: openai_embeddings(server, check_embedding_ctx_length=False),
    lambda server: TogetherEmbeddings(model=NAME, base_url=f"{server.url}/v1", api_key=KEY, max_retries=0)],
    ids=["openai", "together"])
def test_vectors(server, expected, make):
    embeddings = make(server)
    check_bits(embeddings.embed_documents(TEXTS), expected)
    check_bits([embeddings.embed_query(TEXTS[0])], expected[:1])


def refused(server):
    with pytest.raises(openai.BadRequestError) as caught:
        openai_embeddings(server).embed_documents(TEXTS)
    assert "check_embedding_ctx_length=False" in str(caught.value)


def test_ids_of_another_tokenizer_name_the_flag(server, monkeypatch):
    """The tables of tiktoken are fetched when it runs; here bytes stand in for them, and all else is the client's."""
    table = {bytes([value]): value for value in range(256)}
    encoding = tiktoken.Encoding("bytes", pat_str=r"[\s\S]", mergeable_ranks=table, special_tokens={})
    monkeypatch.setattr(tiktoken, "encoding_for_model", lambda name: encoding)
    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: encoding)
    refused(server)


def test_ids_of_tiktoken_name_the_flag(server):
    try:
        tiktoken.get_encoding("cl100k_base")
    except Exception as error:  # of whatever carries it to the network
        pytest.skip(f"tiktoken's tables cannot be fetched here: {type(error).__name__}")
    refused(server)
