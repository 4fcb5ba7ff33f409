"""The network language: ONNX held by onnx_ir, and the operators of the mcc domain."""
