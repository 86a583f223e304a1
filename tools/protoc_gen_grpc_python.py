"""A protoc plugin that answers with grpcio-tools' Python stubs, so that buf can drive the one generator that has no binary of its own."""

import sys
import tempfile
from pathlib import Path

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc


def main() -> None:
    """Read a request from stdin, write the response to stdout."""
    request = CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    response = CodeGeneratorResponse(supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL)
    with tempfile.TemporaryDirectory() as folder:
        schema = Path(folder, "schema.binpb")
        schema.write_bytes(FileDescriptorSet(file=request.proto_file).SerializeToString())
        code = protoc.main(
            ["protoc", f"--descriptor_set_in={schema}", f"--grpc_python_out={folder}", *request.file_to_generate]
        )
        if code:
            response.error = f"grpc_python ended with {code}"
        for path in sorted(Path(folder).rglob("*_pb2_grpc.py")):
            response.file.add(name=path.relative_to(folder).as_posix(), content=path.read_text())
    sys.stdout.buffer.write(response.SerializeToString())


if __name__ == "__main__":
    main()
