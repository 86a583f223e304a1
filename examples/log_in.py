"""Log in with a wallet's key and print the token: `python examples/log_in.py http://127.0.0.1:3001 KEY_FILE`."""

import sys
from pathlib import Path

import httpx
from eth_account import Account
from eth_account.messages import encode_defunct

url, key_file = sys.argv[1:]
wallet = Account.from_key(Path(key_file).read_text().strip())
with httpx.Client(base_url=url, timeout=10) as gateway:
    asked = gateway.post("/api/auth/nonce", json={"address": wallet.address}).raise_for_status().json()["data"]
    signed = wallet.sign_message(encode_defunct(text=asked["message"])).signature.to_0x_hex()
    body = {"address": wallet.address, "signature": signed, "nonce": asked["nonce"]}
    login = gateway.post("/api/auth/login", json=body).raise_for_status().json()["data"]
sys.stdout.write(f"{login['token']}\n")
