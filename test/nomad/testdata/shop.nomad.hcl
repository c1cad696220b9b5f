job "shop" {
  namespace = "NAMESPACE"
  group "shop" {
    count = COUNT
    network {
      port "http" {}
    }
    service {
      name     = "shop"
      port     = "http"
      provider = "nomad"
      tags     = ["traefik.http.routers.shop.rule=Host(`NAMESPACE.example`)"]
      check {
        type     = "http"
        path     = "/healthz"
        interval = "1s"
        timeout  = "1s"
      }
    }
    task "shop" {
      driver         = "raw_exec"
      shutdown_delay = "2s"
      config {
        command = "APP"
      }
      env {
        NAME = "VERSION ${NOMAD_ALLOC_ID}"
        HOST = "${NOMAD_IP_http}"
        PORT = "${NOMAD_PORT_http}"
      }
      resources {
        cpu    = 20
        memory = 20
      }
    }
    update {
      max_parallel     = 1
      min_healthy_time = "1s"
    }
  }
}
