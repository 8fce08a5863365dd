# What node 1 may do at an OpenBao or Vault server whose transit engine is mounted at transit/.
path "transit/keys/eunoe-1-*" {
  capabilities = ["create", "read", "update", "delete"]
}
path "transit/encrypt/eunoe-1-*" {
  capabilities = ["update"]
}
path "transit/decrypt/eunoe-1-*" {
  capabilities = ["update"]
}
path "transit/keys" {
  capabilities = ["list"]
}
path "transit/keys/" {
  capabilities = ["list"]
}
