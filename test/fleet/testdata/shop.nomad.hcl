job "shop" {
  group "shop" {
    network {
      port "http" {}
    }
    service {
      name     = "shop"
      port     = "http"
      provider = "nomad"
      tags     = ${TAGS}
    }
    restart {
      attempts = 100
      delay    = "1s"
    }
    task "shop" {
      driver = "raw_exec"
      config {
        command = "${APP}"
      }
      env {
        NAME = "${NAME}"
        PORT = "${NOMAD_PORT_http}"
      }
      resources {
        cpu    = 20
        memory = 20
      }
    }
  }
}
