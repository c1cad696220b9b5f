job "shop" {
  group "shop" {
    count = 3
    network {
      port "http" {}
    }
    service {
      name     = "shop"
      port     = "http"
      provider = "nomad"
      tags = [
        "traefik.enable=true",
        "traefik.http.routers.shop.rule=Host(`shop.example`)",
      ]
      check {
        type     = "http"
        path     = "/"
        interval = "2s"
        timeout  = "1s"
      }
    }
    task "shop" {
      driver         = "raw_exec"
      shutdown_delay = "2s" # between the end of its registration and its signal
      config {
        command = "python3"
        args    = ["-m", "http.server", "${NOMAD_PORT_http}", "--bind", "${NOMAD_IP_http}"]
      }
    }
    update {
      max_parallel     = 1
      min_healthy_time = "3s" # longer than Fairlead's checkInterval
    }
  }
}
